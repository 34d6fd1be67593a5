CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;
INSERT INTO note (text) SELECT 'revision ' || revision FROM meta;
