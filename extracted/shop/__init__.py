"""The shop: items, how many are left, who has bought them. It decides whether a purchase is sold."""
