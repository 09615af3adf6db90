"""Keep a copy of who is in which segment in your own PostgreSQL, by the feed of changes.

API=https://ga.example.com STORE=gas_… COPY=postgresql://… python copy_to_postgresql.py LINK

Run it as often as you like, from a timer for example. A page of changes and the place after it are one
transaction, so a crash loses nothing and repeats nothing. It needs `pip install psycopg[binary]`.
"""

import os
import sys

import psycopg

from ga_sync.client import Change, Changes, Client, Expired, Refused

TABLES = """
CREATE TABLE IF NOT EXISTS ga_sync_members (
    link_id text, segment_id text, recording_id text, as_of timestamptz NOT NULL,
    PRIMARY KEY (link_id, segment_id, recording_id)
);
CREATE INDEX IF NOT EXISTS ga_sync_members_of ON ga_sync_members (link_id, recording_id);
CREATE TABLE IF NOT EXISTS ga_sync_places (link_id text PRIMARY KEY, since text NOT NULL);
"""
ENTER = """INSERT INTO {} (link_id, segment_id, recording_id, as_of) VALUES (%s, %s, %s, %s)
    ON CONFLICT (link_id, segment_id, recording_id) DO UPDATE SET as_of = excluded.as_of"""
LEAVE = "DELETE FROM {} WHERE (link_id, segment_id, recording_id) = (%s, %s, %s)"
GONE = """DELETE FROM ga_sync_members AS held WHERE link_id = %s AND NOT EXISTS (
    SELECT FROM fresh WHERE (fresh.segment_id, fresh.recording_id) = (held.segment_id, held.recording_id))"""
NEW = "INSERT INTO ga_sync_members SELECT * FROM fresh ON CONFLICT DO NOTHING"
REMEMBER = """INSERT INTO ga_sync_places (link_id, since) VALUES (%s, %s)
    ON CONFLICT (link_id) DO UPDATE SET since = excluded.since"""


def follow(client: Client, database: psycopg.Connection, link_id: str) -> None:
    """Bring the copy of a link up to date; the connection is in autocommit."""
    place = database.execute("SELECT since FROM ga_sync_places WHERE link_id = %s", [link_id]).fetchone()
    try:
        if place is None:
            begin_anew(client, database, link_id)
            return
        for page in client.changes(link_id, since=place[0]):
            with database.transaction():
                apply(database, "ga_sync_members", link_id, page)
                database.execute(REMEMBER, [link_id, page.next])
    except Expired:  # nobody followed for longer than the log goes back: 7 days
        begin_anew(client, database, link_id)
    except Refused as refusal:
        if refusal.slug != "not-found":
            raise
        forget(database, link_id)  # revoked or removed: what is copied has to go, too


def begin_anew(client: Client, database: psycopg.Connection, link_id: str) -> None:
    """Take the present state beside the copy, and put the difference in its place at once."""
    database.execute("CREATE TEMPORARY TABLE fresh (LIKE ga_sync_members INCLUDING ALL)")
    try:
        for page in client.changes(link_id):
            apply(database, "fresh", link_id, page)
        with database.transaction():
            database.execute(GONE, [link_id])
            database.execute(NEW)
            database.execute(REMEMBER, [link_id, page.next])
    finally:
        database.execute("DROP TABLE fresh")


def apply(database: psycopg.Connection, table: str, link_id: str, page: Changes) -> None:
    """Write a page down; of several changes of one recording in one segment the last one counts."""
    last: dict[tuple[str, str, str], Change] = {
        (link_id, one.segment_id, one.recording_id): one
        for one in page.changes
        if "\0" not in one.recording_id  # PostgreSQL's text has no room for it: no recording of yours
    }
    entered = [(*key, one.as_of) for key, one in last.items() if one.change == "entered"]
    left = [key for key, one in last.items() if one.change == "left"]
    with database.transaction(), database.cursor() as cursor:
        cursor.executemany(ENTER.format(table), entered)
        cursor.executemany(LEAVE.format(table), left)


def forget(database: psycopg.Connection, link_id: str) -> None:
    """Delete everything that was copied of a link."""
    with database.transaction():
        database.execute("DELETE FROM ga_sync_members WHERE link_id = %s", [link_id])
        database.execute("DELETE FROM ga_sync_places WHERE link_id = %s", [link_id])


def main() -> None:
    """Follow one link once."""
    with (
        Client(os.environ["API"], os.environ["STORE"]) as client,
        psycopg.connect(os.environ["COPY"], autocommit=True) as database,
    ):
        database.execute(TABLES)
        follow(client, database, sys.argv[1])


if __name__ == "__main__":
    main()
