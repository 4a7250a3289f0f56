-- A device's store as the client wrote it before what is durable, bundles and doubts: a row a member, ops numbered when recorded.
-- Between @ and @: what the server of the test gives. The first op is told applied, the second was sent and its answer lost.
PRAGMA journal_mode=WAL;
CREATE TABLE state (k TEXT PRIMARY KEY, v BLOB NOT NULL);
CREATE TABLE photos (sha256 TEXT PRIMARY KEY, size INT, mime TEXT, url TEXT, done INT DEFAULT 0);
INSERT INTO state VALUES ('token', CAST('"@token@"' AS BLOB));
INSERT INTO state VALUES ('actor', CAST('"u-f1"' AS BLOB));
INSERT INTO state VALUES ('install_id', CAST('"kept-phone"' AS BLOB));
INSERT INTO state VALUES ('epoch', CAST('"@epoch@"' AS BLOB));
INSERT INTO state VALUES ('replica', CAST('"@replica@"' AS BLOB));
INSERT INTO state VALUES ('base', CAST('{"site:s-gone": {"data": {"id": "s-gone"}, "ver": 1, "as_of": 1, "epoch": "@epoch@"}}' AS BLOB));
INSERT INTO state VALUES ('memb', CAST('{"site:s-gone": ["district:370303"]}' AS BLOB));
INSERT INTO state VALUES ('nonce', CAST('null' AS BLOB));
INSERT INTO state VALUES ('seen_clock', CAST('3' AS BLOB));
INSERT INTO state VALUES ('cursor', CAST('null' AS BLOB));
INSERT INTO state VALUES ('resetting', CAST('{"district:370303": {"at": null, "seen": []}}' AS BLOB));
INSERT INTO state VALUES ('next_seq', CAST('4' AS BLOB));
INSERT INTO state VALUES ('head', CAST('"@head3@"' AS BLOB));
INSERT INTO state VALUES ('outbox', CAST('[{"op": "01890000-0000-7000-8000-00000000@n@02", "body": "{\"op\":\"01890000-0000-7000-8000-00000000@n@02\",\"verb\":\"problem.report\",\"v\":1,\"actor\":\"u-f1\",\"ent\":{\"t\":\"finding\",\"id\":\"01890000-0000-7000-8000-0000000f@n@02\"},\"base\":null,\"args\":{\"item\":\"A105\",\"programme\":\"campus-perimeter\",\"template_version\":1,\"site_id\":\"@site@\",\"team_id\":\"tf1\",\"remark\":\"门口井盖松动（示例）\",\"fix\":{\"lon\":118.0448,\"lat\":36.807,\"accuracy_m\":8,\"crs\":\"wgs84\"},\"photos\":[]},\"blobs\":[],\"at\":{\"wall\":\"2026-09-01T09:00:00+08:00\",\"mono\":1}}", "ent": "finding:01890000-0000-7000-8000-0000000f@n@02", "seq": 2, "prev": "@head1@"}, {"op": "01890000-0000-7000-8000-00000000@n@03", "body": "{\"op\":\"01890000-0000-7000-8000-00000000@n@03\",\"verb\":\"problem.report\",\"v\":1,\"actor\":\"u-f1\",\"ent\":{\"t\":\"finding\",\"id\":\"01890000-0000-7000-8000-0000000f@n@03\"},\"base\":null,\"args\":{\"item\":\"A213\",\"programme\":\"campus-perimeter\",\"template_version\":1,\"site_id\":\"@site@\",\"team_id\":\"tf1\",\"remark\":\"门口井盖松动（示例）\",\"fix\":{\"lon\":118.0448,\"lat\":36.807,\"accuracy_m\":8,\"crs\":\"wgs84\"},\"photos\":[\"@sha@\"]},\"blobs\":[{\"sha256\":\"@sha@\",\"size\":@size@,\"mime\":\"image/jpeg\"}],\"at\":{\"wall\":\"2026-09-01T09:00:00+08:00\",\"mono\":1}}", "ent": "finding:01890000-0000-7000-8000-0000000f@n@03", "seq": 3, "prev": "@head2@"}]' AS BLOB));
INSERT INTO state VALUES ('acked', CAST('[{"op": "01890000-0000-7000-8000-00000000@n@01", "body": "{\"op\":\"01890000-0000-7000-8000-00000000@n@01\",\"verb\":\"problem.report\",\"v\":1,\"actor\":\"u-f1\",\"ent\":{\"t\":\"finding\",\"id\":\"01890000-0000-7000-8000-0000000f@n@01\"},\"base\":null,\"args\":{\"item\":\"A101\",\"programme\":\"campus-perimeter\",\"template_version\":1,\"site_id\":\"@site@\",\"team_id\":\"tf1\",\"remark\":\"门口井盖松动（示例）\",\"fix\":{\"lon\":118.0448,\"lat\":36.807,\"accuracy_m\":8,\"crs\":\"wgs84\"},\"photos\":[]},\"blobs\":[],\"at\":{\"wall\":\"2026-09-01T09:00:00+08:00\",\"mono\":1}}", "ent": "finding:01890000-0000-7000-8000-0000000f@n@01", "seq": 1, "prev": "@head0@", "status": "applied", "reason": null, "clock": @clock@, "epoch": "@epoch@"}]' AS BLOB));
INSERT INTO photos (sha256, size, mime, url) VALUES ('@sha@', @size@, 'image/jpeg', '@url@');
