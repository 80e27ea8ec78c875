"""The smallest service. Copy this folder to start a new one."""
