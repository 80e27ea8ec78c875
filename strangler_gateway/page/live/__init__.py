"""What changes while somebody looks: the samples behind the pictures, and the stream that updates open pages."""
