-- Files from the national register: which were imported, how far, and the records we do not know.
create table cpr.files (
    sha256 bytea primary key,
    task text not null,                -- the register's number of the task (opgavenummer)
    produced_on date not null,
    persons int not null,
    parts int not null,
    started_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz            -- null: under way, or broken off; running it again goes on
);

-- Parts that are in: a row is written in the transaction that imports the part.
create table cpr.parts (
    file bytea not null references cpr.files (sha256),
    part int not null,
    added int not null default 0,
    changed int not null default 0,
    unchanged int not null default 0,
    primary key (file, part)
);

-- Records of a kind we do not know, as they are. They may hold personal data: nothing reads them but the operator.
create table cpr.unknown_records (
    file bytea not null references cpr.files (sha256),
    line int not null,
    record text not null,
    content text not null,
    primary key (file, line)
);
