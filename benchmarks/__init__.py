"""The measurements, and what they run against. Core, CPU time and memory need Linux; elsewhere they are null."""
