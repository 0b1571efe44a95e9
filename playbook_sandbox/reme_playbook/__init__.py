"""The playbook language: its actions, compiler, rights, and the runner inside the Job."""
