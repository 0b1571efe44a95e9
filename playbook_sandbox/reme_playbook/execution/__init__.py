"""What a run needs: rendered playbook, capture, grant, dry run, rollback, Job."""
