"""What remains of a gateway whose place another proxy has taken: it says who calls, and forwards nothing."""
