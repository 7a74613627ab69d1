-- Who put a span on the queue. Spans from before this was noted count as a job's where a job may have proposed them:
-- `phar serve --add` gives what was mined no severity.
ALTER TABLE span ADD COLUMN origin TEXT NOT NULL DEFAULT 'added' CHECK (origin IN ('job', 'added'));
UPDATE span SET origin = 'job'
    WHERE kind = 'shot' OR severity > 0 AND EXISTS (
        SELECT 1 FROM job WHERE job.video_id = span.video_id AND job.kind = 'analyse' AND job.state = 'done');
