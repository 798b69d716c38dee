"""Pure statistics: sequences in, numbers or Estimates out. Every rule here is tested by seeded simulation."""
