"""The routes of log-in. No rules of the business."""
