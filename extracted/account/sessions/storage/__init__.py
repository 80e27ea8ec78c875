"""Account's own tables of sessions and of the monolith's tokens that were made for them. No rules of the business."""
