BEGIN TRANSACTION;
CREATE TABLE action (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	run_id INTEGER NOT NULL, 
	contact_id INTEGER NOT NULL, 
	tombstone_id INTEGER NOT NULL, 
	guard VARCHAR(7) NOT NULL, 
	intended_at DATETIME NOT NULL, 
	fingerprint VARCHAR(64) NOT NULL, 
	outcome VARCHAR(13), 
	detail TEXT NOT NULL, 
	ended_at DATETIME, 
	CONSTRAINT uq_action_tombstone_id UNIQUE (tombstone_id), 
	CONSTRAINT fk_action_run_id_run FOREIGN KEY(run_id) REFERENCES run (id), 
	CONSTRAINT fk_action_tombstone_id_tombstone FOREIGN KEY(tombstone_id) REFERENCES tombstone (id), 
	CONSTRAINT ck_action_guard CHECK (guard IN ('etag', 'compare')), 
	CONSTRAINT ck_action_outcome CHECK (outcome IN ('deleted', 'already_gone', 'changed', 'refused', 'unconfirmed', 'not_attempted'))
);
INSERT INTO "action" VALUES(1,2,7,1,'etag','2026-03-01 02:30:00.000000','f7','deleted','3CX answered 204','2026-03-01 02:30:00.000000');
INSERT INTO "action" VALUES(2,2,8,2,'etag','2026-03-01 02:30:00.000000','f8',NULL,'',NULL);
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0002');
CREATE TABLE approval (
	plan_run_id INTEGER NOT NULL, 
	run_id INTEGER NOT NULL, 
	approved_by TEXT NOT NULL, 
	approved_at DATETIME NOT NULL, 
	CONSTRAINT pk_approval PRIMARY KEY (plan_run_id), 
	CONSTRAINT fk_approval_plan_run_id_run FOREIGN KEY(plan_run_id) REFERENCES run (id), 
	CONSTRAINT fk_approval_run_id_run FOREIGN KEY(run_id) REFERENCES run (id)
);
INSERT INTO "approval" VALUES(1,2,'anna','2026-03-01 02:30:00.000000');
CREATE TABLE claim (
	contact_id INTEGER NOT NULL, 
	crm_id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	fingerprint VARCHAR(64) NOT NULL, 
	origin VARCHAR(5) NOT NULL, 
	claimed_by TEXT NOT NULL, 
	first_absent DATETIME, 
	absent_exports INTEGER NOT NULL, 
	CONSTRAINT pk_claim PRIMARY KEY (contact_id), 
	CONSTRAINT ck_claim_origin CHECK (origin IN ('match', 'adopt', 'tag'))
);
INSERT INTO "claim" VALUES(5,'c5','Ann Bell','f5','match','',NULL,0);
INSERT INTO "claim" VALUES(6,'c6','Bo Dee','f6','match','','2026-03-01 02:30:00.000000',1);
INSERT INTO "claim" VALUES(8,'c8','Di Gow','f8','match','',NULL,0);
CREATE TABLE export (
	run_id INTEGER NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	name TEXT NOT NULL, 
	generated_at DATETIME NOT NULL, 
	accepted_at DATETIME NOT NULL, 
	records INTEGER NOT NULL, 
	fill TEXT NOT NULL, 
	rules TEXT NOT NULL, 
	history BOOLEAN NOT NULL, 
	vetoes INTEGER NOT NULL, 
	CONSTRAINT pk_export PRIMARY KEY (run_id), 
	CONSTRAINT fk_export_run_id_run FOREIGN KEY(run_id) REFERENCES run (id)
);
INSERT INTO "export" VALUES(1,'5555555555555555555555555555555555555555555555555555555555555555','contacts.csv','2026-03-01 02:30:00.000000','2026-03-01 02:30:00.000000',3,'{"phone": 0.75}','r1',0,0);
CREATE TABLE probe (
	pbx_url TEXT NOT NULL, 
	pbx_version TEXT NOT NULL, 
	probed_at DATETIME NOT NULL, 
	etags VARCHAR(6) NOT NULL, 
	etags_in TEXT NOT NULL, 
	if_match VARCHAR(8) NOT NULL, 
	right_etag VARCHAR(8) NOT NULL, 
	without_etag VARCHAR(8) NOT NULL, 
	paging TEXT NOT NULL, 
	page_cap INTEGER NOT NULL, 
	missing TEXT NOT NULL, 
	detail TEXT NOT NULL, 
	CONSTRAINT pk_probe PRIMARY KEY (pbx_url, pbx_version), 
	CONSTRAINT ck_probe_etags CHECK (etags IN ('none', 'weak', 'strong')), 
	CONSTRAINT ck_probe_if_match CHECK (if_match IN ('enforced', 'ignored', 'unproven')), 
	CONSTRAINT ck_probe_right_etag CHECK (right_etag IN ('accepted', 'refused', 'unproven')), 
	CONSTRAINT ck_probe_without_etag CHECK (without_etag IN ('accepted', 'refused', 'unproven'))
);
INSERT INTO "probe" VALUES('https://pbx.example.com:5001','20.0.9.995','2026-03-01 02:30:00.000000','strong','list, entity','enforced','accepted','refused','key',50,'404, empty','An old ETag was refused.');
CREATE TABLE protection (
	kind VARCHAR(6) NOT NULL, 
	value TEXT NOT NULL, 
	created_by TEXT NOT NULL, 
	created_at DATETIME NOT NULL, 
	reason TEXT NOT NULL, 
	CONSTRAINT pk_protection PRIMARY KEY (kind, value), 
	CONSTRAINT ck_protection_kind CHECK (kind IN ('id', 'tag', 'number', 'name'))
);
INSERT INTO "protection" VALUES('tag','vip','anna','2026-03-01 02:30:00.000000','the board');
CREATE TABLE run (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	command TEXT NOT NULL, 
	mode VARCHAR(16) NOT NULL, 
	pbx_url TEXT NOT NULL, 
	started_at DATETIME NOT NULL, 
	finished_at DATETIME, 
	status VARCHAR(14), 
	exit_code INTEGER, 
	digest VARCHAR(64) NOT NULL, 
	headline TEXT NOT NULL, 
	plan_digest VARCHAR(64), 
	"plan" TEXT, 
	planned_at DATETIME, 
	CONSTRAINT ck_run_status CHECK (status IN ('clean', 'waiting', 'needs_approval', 'blocked', 'applied', 'partial', 'interrupted'))
);
INSERT INTO "run" VALUES(1,'plan','review','https://pbx.example.com:5001','2026-03-01 02:30:00.000000','2026-03-01 02:30:00.000000','waiting',10,'44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a','1 waits','44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a','{}','2026-03-01 02:30:00.000000');
INSERT INTO "run" VALUES(2,'apply','review','https://pbx.example.com:5001','2026-03-01 02:30:00.000000',NULL,NULL,NULL,'','',NULL,NULL,NULL);
CREATE TABLE state (
	id VARCHAR(32) NOT NULL, 
	pbx_url TEXT NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_state PRIMARY KEY (id)
);
INSERT INTO "state" VALUES('509e99a0f5244997b79914ef359dc6aa','https://pbx.example.com:5001','2026-03-01 02:30:00.000000');
CREATE TABLE tombstone (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	run_id INTEGER NOT NULL, 
	contact_id INTEGER NOT NULL, 
	entity TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	crm_id TEXT NOT NULL, 
	created_at DATETIME NOT NULL, 
	restored_as INTEGER, 
	restored_at DATETIME, 
	CONSTRAINT fk_tombstone_run_id_run FOREIGN KEY(run_id) REFERENCES run (id)
);
INSERT INTO "tombstone" VALUES(1,2,7,'{"Id": 7, "FirstName": "Gone"}','absent','c7','2026-03-01 02:30:00.000000',NULL,NULL);
INSERT INTO "tombstone" VALUES(2,2,8,'{"Id": 8, "FirstName": "Gone"}','absent','c8','2026-03-01 02:30:00.000000',NULL,NULL);
CREATE INDEX ix_run_plan_digest ON run (plan_digest);
CREATE INDEX ix_tombstone_run_id ON tombstone (run_id);
CREATE INDEX ix_tombstone_contact_id ON tombstone (contact_id);
CREATE INDEX ix_action_run_id ON action (run_id);
CREATE INDEX ix_action_contact_id ON action (contact_id);
CREATE INDEX ix_action_outcome_ended_at ON action (outcome, ended_at);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('run',2);
INSERT INTO "sqlite_sequence" VALUES('tombstone',2);
INSERT INTO "sqlite_sequence" VALUES('action',2);
COMMIT;
