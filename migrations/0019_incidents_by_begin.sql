-- Incidents are listed by their begin, newest first: without this all of them were sorted for the first fifty.
CREATE INDEX incidents_by_begin ON incidents (coalesce(began_at, opened_at) DESC, monitor_id);
