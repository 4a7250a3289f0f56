"""Packs as data: checklists, duties, distance rules, clocks. No answers given by anybody."""
