"""Which actions are possible and allowed: action space, policy rules, validation."""
