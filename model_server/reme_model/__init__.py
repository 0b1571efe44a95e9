"""What the model is asked and what it may answer: prompt, action space, client, serving."""
