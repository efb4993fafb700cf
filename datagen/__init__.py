"""The generator: kits, grooves, human timing, rooms and bleed become jittered and gridded pairs with exact truth."""
