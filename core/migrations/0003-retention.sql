-- How far a prune has come (core/pruning.c).
ALTER TABLE meta ADD COLUMN settled_until INTEGER NOT NULL DEFAULT 0;
ALTER TABLE meta ADD COLUMN pruned_until INTEGER NOT NULL DEFAULT 0;
