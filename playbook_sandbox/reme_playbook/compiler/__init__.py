"""The compiler: from the text of a playbook to typed actions."""
