"""The measurements, and what they run against. Linux tells core, CPU time and memory; elsewhere those stay null."""
