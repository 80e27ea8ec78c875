"""Who watches after a move and takes it back without a human: guards of one move, the sentinel of every group.

They see counters and journal entries; what they decide goes through the controller as any rollback does.
"""
