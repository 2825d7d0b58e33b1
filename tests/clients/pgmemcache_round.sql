-- pgmemcache, PostgreSQL's client, makes its round: first its functions, then a table whose triggers keep the cache true.
CREATE EXTENSION pgmemcache;
-- A miss is a warning as well.
SET client_min_messages = error;

DO $$
DECLARE
    large text := repeat('large', 180000);
BEGIN
    ASSERT memcache_set('a', 'text');
    ASSERT memcache_get('a') = 'text';
    ASSERT memcache_get('missing') IS NULL;
    ASSERT NOT memcache_add('a', 'x');
    ASSERT memcache_add('b', 'x');
    ASSERT memcache_replace('b', 'y');
    ASSERT NOT memcache_replace('missing', 'y');
    ASSERT memcache_append('b', 'z');
    ASSERT memcache_prepend('b', 'x');
    ASSERT memcache_get('b') = 'xyz';
    ASSERT memcache_set('empty', '');
    ASSERT memcache_get('empty') = '';

    ASSERT memcache_set('n', '10');
    ASSERT memcache_incr('n', 5) = 15;
    ASSERT memcache_decr('n') = 14;
    ASSERT memcache_incr('missing') = -1;

    ASSERT memcache_set('kept', 'x', interval '100 seconds');
    ASSERT memcache_get('kept') = 'x';
    ASSERT memcache_set('gone', 'x', now() - interval '10 seconds');
    ASSERT memcache_get('gone') IS NULL;

    ASSERT memcache_set('large', large);
    ASSERT memcache_get('large') = large;

    PERFORM memcache_set('many' || i, 'value ' || i) FROM generate_series(1, 300) AS i;
    ASSERT (
        SELECT count(*) = 300 AND bool_and(value = 'value ' || substr(key, 5))
        FROM memcache_get_multi((SELECT array_agg('many' || i) FROM generate_series(0, 300) AS i))
    );

    ASSERT memcache_delete('a');
    ASSERT NOT memcache_delete('a');
    ASSERT memcache_stats() LIKE '%pid: %';
END
$$;

CREATE TABLE page (path text PRIMARY KEY, body text NOT NULL);

CREATE FUNCTION page_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        PERFORM memcache_delete('page:' || OLD.path);
        RETURN OLD;
    END IF;
    PERFORM memcache_set('page:' || NEW.path, NEW.body);
    RETURN NEW;
END
$$;

CREATE TRIGGER page_changed AFTER INSERT OR UPDATE OR DELETE ON page
    FOR EACH ROW EXECUTE FUNCTION page_changed();

INSERT INTO page SELECT i::text, 'first ' || i FROM generate_series(1, 200) AS i;
UPDATE page SET body = 'second ' || path WHERE path::int <= 100;
DELETE FROM page WHERE path = '7';

DO $$
BEGIN
    ASSERT memcache_get('page:8') = 'second 8';
    ASSERT memcache_get('page:7') IS NULL;
    ASSERT memcache_get('page:200') = 'first 200';
    ASSERT (SELECT count(*) FROM page WHERE memcache_get('page:' || path) IS DISTINCT FROM body) = 0;
END
$$;

\echo whole round done
