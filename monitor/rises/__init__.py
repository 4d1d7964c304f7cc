"""Rises: hours that stand out from what the weeks before explain, and what stands behind them."""
