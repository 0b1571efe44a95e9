"""The reconcile loop of a remediation: observe, decide, perform one step, write the status."""
