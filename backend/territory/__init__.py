"""Districts, townships, zones, sites with perimeters, departments. No people."""
