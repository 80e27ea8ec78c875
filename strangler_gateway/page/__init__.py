"""The operators' page on the admin port: what `admin/` tells, as HTML. It decides nothing, and asks no other part."""
