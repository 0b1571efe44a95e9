"""The process inside the Job: takes the run, carries it out, and writes down what happened."""
