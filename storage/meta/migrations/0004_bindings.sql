-- In crc only where one of them is not zero.
ALTER TABLE usage ADD COLUMN binding_operations INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage ADD COLUMN binding_read INTEGER NOT NULL DEFAULT 0; -- bytes
ALTER TABLE usage ADD COLUMN binding_write INTEGER NOT NULL DEFAULT 0; -- bytes
