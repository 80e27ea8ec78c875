"""What Account's routes share: lists, refusals, and the application that they make up. No subject's own route."""
