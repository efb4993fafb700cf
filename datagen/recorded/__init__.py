"""How it is recorded: rooms, microphones, and the chain behind them."""
