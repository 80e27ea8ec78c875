"""The routes that the gateway calls about a token. No rules of the business."""
