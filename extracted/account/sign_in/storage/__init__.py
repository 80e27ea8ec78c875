"""Account's own tables of log-in. No rules of the business."""
