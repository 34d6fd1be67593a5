-- META_REVISION
SELECT revision FROM meta;
