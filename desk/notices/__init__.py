"""Notices: who is told of what, when and by which channel; what is due is a query over our rows.

Verbs never commit. What a notice says is in ``desk.wording``, sending it in ``desk.telling``.
"""
