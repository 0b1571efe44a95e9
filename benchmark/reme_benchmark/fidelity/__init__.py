"""How faithful the simulator is: the same playbooks in the simulated world and in a real one."""
