"""The operator: watches DiagnosisReports and drives Remediations to an honest outcome."""
