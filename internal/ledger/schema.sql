-- Schema version 1. Times are Unix milliseconds, lists are JSON.

CREATE TABLE about (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    begun  INTEGER NOT NULL,
    secret BLOB NOT NULL CHECK (length(secret) = 32),
    proof  BLOB -- of nothing but that it could be written, see Healthy
) STRICT;

-- The answer is last: what stands before it is read without it.
CREATE TABLE turns (
    id        INTEGER PRIMARY KEY,
    version   INTEGER NOT NULL,
    platform  TEXT NOT NULL,
    team      TEXT NOT NULL,
    channel   TEXT NOT NULL,
    thread    TEXT NOT NULL,
    message   TEXT NOT NULL,
    user      TEXT NOT NULL,
    name      TEXT NOT NULL,
    via       TEXT NOT NULL,
    state     TEXT NOT NULL CHECK (state IN ('received', 'drafting', 'answered', 'posting', 'removing', 'posted', 'dropped')),
    reason    TEXT NOT NULL,
    verdict   TEXT NOT NULL,
    revision  INTEGER NOT NULL,
    outside   INTEGER NOT NULL,
    accepted  INTEGER NOT NULL,
    finished  INTEGER, -- NULL until final
    draft     TEXT NOT NULL,
    posts     TEXT NOT NULL,
    audiences TEXT NOT NULL,
    reply_url TEXT NOT NULL,
    text      TEXT NOT NULL,
    answer    BLOB -- NULL until answered
) STRICT;

CREATE INDEX turns_unfinished ON turns (id, platform, team, channel, thread, user, state)
    WHERE state NOT IN ('posted', 'dropped');
CREATE INDEX turns_message ON turns (platform, team, channel, message)
    WHERE message <> '';
CREATE INDEX turns_thread ON turns (platform, team, channel, thread, id, state, via)
    WHERE state IN ('answered', 'posting', 'posted');
CREATE INDEX turns_channel ON turns (platform, team, channel, id)
    WHERE state = 'posted';
-- What Count leaves out is in neither index: a flood that is refused makes counting no slower.
CREATE INDEX turns_of_user ON turns (platform, team, user, accepted)
    WHERE NOT (state = 'dropped' AND reason IN ('limited', 'busy')) AND via NOT IN ('person', 'share');
CREATE INDEX turns_in_channel ON turns (platform, team, channel, accepted)
    WHERE NOT (state = 'dropped' AND reason IN ('limited', 'busy')) AND via NOT IN ('person', 'share');
CREATE INDEX turns_unsure ON turns (accepted)
    WHERE verdict IN ('unsure', 'no_answer');

CREATE TABLE keys (
    key  TEXT PRIMARY KEY,
    turn INTEGER REFERENCES turns (id), -- NULL: of no turn
    seen INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX keys_seen ON keys (seen);

-- A thread is in it while the bot is to be quiet there.
CREATE TABLE quiet (
    platform TEXT NOT NULL,
    team     TEXT NOT NULL,
    channel  TEXT NOT NULL,
    thread   TEXT NOT NULL,
    PRIMARY KEY (platform, team, channel, thread)
) STRICT, WITHOUT ROWID;

CREATE TABLE feedback (
    turn    INTEGER NOT NULL REFERENCES turns (id),
    user    TEXT NOT NULL,
    good    INTEGER NOT NULL,
    comment TEXT NOT NULL,
    PRIMARY KEY (turn, user)
) STRICT, WITHOUT ROWID;
