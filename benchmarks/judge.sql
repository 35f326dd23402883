-- What judging counts and decides, as one script for DuckDB over the same Parquet files. $name$ are filled in by
-- benchmarks/judge.py: files of the run, the least sample of each source's cuts, and where the selection is written.

CREATE TEMP TABLE origins AS SELECT * FROM (VALUES $origins$) AS t(source, origin);

CREATE TEMP VIEW told AS
SELECT *, parse_filename(filename, true) AS unit FROM read_parquet('$samples$', filename = true);

CREATE TEMP TABLE twice AS
SELECT sample_id, min(unit) AS first_unit, count(*) AS tellings FROM told GROUP BY sample_id HAVING count(*) > 1;

CREATE TEMP TABLE samples AS
SELECT told.sample_id, told.source, told.unit, video_sha256, media_sha256, media_bytes, duration_us, flow_1e4,
       static_share_1e4, black_share_1e4, text_area_1e4
FROM told LEFT JOIN twice USING (sample_id) WHERE twice.sample_id IS NULL OR told.unit = twice.first_unit;

CREATE TEMP TABLE long_scores AS
WITH raw AS (
    SELECT sample_id, text_id, source, kind, offset_us, aggregation, score_1e4, tokens_cut,
           parse_filename(filename, true) AS unit
    FROM read_parquet('$scores$', filename = true)
)
SELECT raw.* EXCLUDE (unit) FROM raw ANTI JOIN twice USING (sample_id)
UNION ALL
SELECT sample_id, text_id, aggregation_row.* FROM (
    SELECT sample_id, text_id,
           arg_min({'source': source, 'kind': kind, 'offset_us': offset_us, 'aggregation': aggregation,
                    'score_1e4': score_1e4, 'tokens_cut': tokens_cut}, unit) AS aggregation_row
    FROM raw SEMI JOIN twice USING (sample_id) GROUP BY sample_id, text_id, aggregation
);

CREATE TEMP TABLE texts AS
WITH raw AS (
    SELECT sample_id, text_id, words, language, parse_filename(filename, true) AS unit
    FROM read_parquet('$texts$', filename = true)
)
SELECT text_id, words, language FROM raw ANTI JOIN twice USING (sample_id)
UNION ALL
SELECT text_id, facts.* FROM (
    SELECT text_id, arg_min({'words': words, 'language': language}, unit) AS facts
    FROM raw SEMI JOIN twice USING (sample_id) GROUP BY text_id
);

CREATE TEMP TABLE pairs AS
SELECT s.*, texts.words, texts.language
FROM (SELECT * EXCLUDE (aggregation) FROM long_scores WHERE aggregation = '$aggregation$') s
LEFT JOIN texts USING (text_id);

CREATE TEMP TABLE best AS
SELECT sample_id, unnest(min(ROW(-score_1e4, text_id, kind, language, words, tokens_cut > 0)::
    STRUCT(worse INT, text_id VARCHAR, kind VARCHAR, language VARCHAR, words INT, truncated BOOLEAN)))
FROM pairs GROUP BY sample_id;

CREATE TEMP TABLE facts AS
SELECT samples.*, text_id, kind, language, words, truncated, -worse AS score_1e4,
       greatest(least((-worse + 10000) // 10 - (CASE WHEN -worse < -10000 THEN 1 ELSE 0 END), 2000), -1) AS bin
FROM samples LEFT JOIN best USING (sample_id);

CREATE TABLE histograms AS
SELECT source, kind AS text_kind, aggregation, ((score_1e4 + 10000) // 10)::INT AS bin, count(*) AS count,
       sum(score_1e4) AS sum_1e4, count(*) FILTER (tokens_cut > 0) AS truncated,
       min(score_1e4) AS minimum_1e4, max(score_1e4) AS maximum_1e4
FROM long_scores GROUP BY ALL
UNION ALL
SELECT source, 'best', '$aggregation$', bin, count(*), sum(score_1e4), count(*) FILTER (truncated),
       min(score_1e4), max(score_1e4)
FROM facts WHERE score_1e4 IS NOT NULL GROUP BY source, bin;

CREATE TABLE distributions AS
WITH signals AS (
    SELECT source, UNNEST([
        {'signal': 'duration_us', 'number': duration_us, 'step': 500000},
        {'signal': 'flow_1e4', 'number': flow_1e4::BIGINT, 'step': 50},
        {'signal': 'static_share_1e4', 'number': static_share_1e4::BIGINT, 'step': 500},
        {'signal': 'black_share_1e4', 'number': black_share_1e4::BIGINT, 'step': 500},
        {'signal': 'text_area_1e4', 'number': text_area_1e4::BIGINT, 'step': 100}], recursive := true)
    FROM samples
), offsets AS (
    SELECT source, min(ROW(-score_1e4, abs(offset_us), offset_us)::STRUCT(w INT, d BIGINT, o BIGINT)).o AS number
    FROM pairs WHERE kind = 'asr' GROUP BY source, sample_id
)
SELECT source, signal, NULL::VARCHAR AS value, number // step * step AS low, count(*) AS count, sum(number) AS sum
FROM signals WHERE number IS NOT NULL GROUP BY ALL
UNION ALL SELECT source, 'words', NULL, words, count(*), sum(words) FROM pairs GROUP BY source, words
UNION ALL SELECT source, 'asr_offset_us', NULL, number, count(*), sum(number) FROM offsets GROUP BY source, number
UNION ALL SELECT source, 'language', coalesce(language, 'und'), NULL, count(*), 0 FROM pairs GROUP BY ALL;

-- Keepers: one that breaks no rule, a clean source, the larger picture, the higher score, the smaller id. The run has no
-- rules, and pictures of equal bytes are equally large, so that the first and the third decide nothing here.
CREATE TEMP TABLE groups AS
SELECT media_sha256, count(*) AS size, list(DISTINCT facts.source ORDER BY facts.source) AS sources,
       list(facts.source) AS all_sources,
       min(ROW(origin <> 'clean', -coalesce(score_1e4, -10001), sample_id)::
           STRUCT(noisy BOOLEAN, worse INT, sample_id VARCHAR)).sample_id AS keeper
FROM facts JOIN origins USING (source) GROUP BY media_sha256 HAVING count(*) > 1;

CREATE TABLE group_sizes AS SELECT size, count(*) AS groups FROM groups GROUP BY size;

CREATE TABLE pairs_of_sources AS
SELECT a AS source, b AS other, count(*) AS groups FROM (
    SELECT a, b FROM (SELECT sources, UNNEST(sources) AS a FROM groups), UNNEST(sources) AS u(b) WHERE a < b
    UNION ALL
    SELECT a, a FROM (SELECT UNNEST(sources) AS a, all_sources FROM groups) WHERE len(list_filter(all_sources, lambda s: s = a)) > 1
) GROUP BY ALL;

CREATE TEMP TABLE decided AS
SELECT facts.*, coalesce(keeper, sample_id) AS keeper, groups.media_sha256 IS NOT NULL AS in_group,
       keeper IS NOT NULL AND keeper <> sample_id AS twin
FROM facts LEFT JOIN groups USING (media_sha256);

CREATE TABLE yields AS
SELECT source, bin, count(*) FILTER (NOT twin) AS clips, coalesce(sum(duration_us) FILTER (NOT twin), 0) AS duration_us,
       coalesce(sum(media_bytes) FILTER (NOT twin), 0) AS media_bytes, 0 AS held_rule_clips,
       count(*) FILTER (twin) AS held_duplicate_clips
FROM decided GROUP BY source, bin;

CREATE TEMP TABLE cuts AS
WITH bins AS (
    SELECT source, bin, sum(clips + held_duplicate_clips) OVER (PARTITION BY source ORDER BY bin) AS reached,
           sum(clips + held_duplicate_clips) OVER (PARTITION BY source) AS total
    FROM yields WHERE bin IS NOT NULL
), edges AS (
    SELECT source, min(bin) FILTER (reached >= greatest(1, ceil(0.05 * total))) * 10 - 10000 AS clean,
           min(bin) FILTER (reached >= greatest(1, ceil(0.5 * total))) * 10 - 10000 AS high,
           min(bin) FILTER (reached >= greatest(1, ceil(0.1 * total))) * 10 - 10000 AS low
    FROM bins GROUP BY source
)
SELECT source, CASE WHEN origin = 'clean' THEN greatest(clean, least(low, high)) END AS clean, high, least(low, high) AS low
FROM edges JOIN origins USING (source);

CREATE TEMP TABLE judged AS
SELECT decided.*, CASE WHEN score_1e4 IS NULL THEN 'video_only' WHEN score_1e4 >= clean THEN 'clean'
    WHEN score_1e4 >= high THEN 'noisy_high' WHEN score_1e4 >= low THEN 'noisy_low' ELSE 'video_only' END AS tier
FROM decided LEFT JOIN cuts USING (source);

CREATE TABLE tiers AS
SELECT source, tier, count(*) AS samples, count(*) FILTER (NOT twin) AS samples_sharded,
       coalesce(sum(duration_us) FILTER (NOT twin), 0) AS duration_us,
       coalesce(sum(media_bytes) FILTER (NOT twin), 0) AS media_bytes
FROM judged GROUP BY source, tier;

CREATE TABLE joint AS
WITH dimensions AS (
    SELECT source, tier, twin, duration_us, media_bytes, score_1e4 // 500 * 500 AS bin_low_1e4, UNNEST([
        {'dimension': 'text_kind', 'value': coalesce(kind, 'none')},
        {'dimension': 'language', 'value': CASE WHEN text_id IS NULL THEN 'none' ELSE coalesce(language, 'und') END},
        {'dimension': 'words', 'value': CASE WHEN words < 5 THEN '0-5' WHEN words < 10 THEN '5-10'
            WHEN words < 20 THEN '10-20' WHEN words < 50 THEN '20-50' WHEN words >= 50 THEN '50+' ELSE 'none' END},
        {'dimension': 'duration_s', 'value': CASE WHEN duration_us < 3000000 THEN '0-3'
            WHEN duration_us < 5000000 THEN '3-5' WHEN duration_us < 10000000 THEN '5-10'
            WHEN duration_us < 20000000 THEN '10-20' ELSE '20+' END},
        {'dimension': 'flow', 'value': CASE WHEN flow_1e4 < 50 THEN '0-0.005' WHEN flow_1e4 < 200 THEN '0.005-0.02'
            WHEN flow_1e4 < 500 THEN '0.02-0.05' WHEN flow_1e4 < 1000 THEN '0.05-0.1' ELSE '0.1+' END},
        {'dimension': 'text_area', 'value': CASE WHEN text_area_1e4 < 100 THEN '0-0.01'
            WHEN text_area_1e4 < 500 THEN '0.01-0.05' WHEN text_area_1e4 < 2000 THEN '0.05-0.2'
            WHEN text_area_1e4 >= 2000 THEN '0.2+' END}
        ], recursive := true)
    FROM judged
)
SELECT source, dimension, value, tier, bin_low_1e4, count(*) AS clips, count(*) FILTER (NOT twin) AS clips_sharded,
       sum(duration_us) AS duration_us, sum(media_bytes) AS media_bytes
FROM dimensions WHERE value IS NOT NULL GROUP BY ALL;

CREATE TABLE counts AS
WITH wide AS (
    SELECT source, count(*) AS samples, count(DISTINCT video_sha256) AS videos, sum(duration_us)::BIGINT AS duration_us,
           sum(media_bytes)::BIGINT AS media_bytes, count(*) FILTER (in_group) AS duplicates,
           count(*) FILTER (twin) AS removed_exact,
           count(*) FILTER (duration_us < 3000000) AS length_0,
           count(*) FILTER (duration_us >= 3000000 AND duration_us < 5000000) AS length_1,
           count(*) FILTER (duration_us >= 5000000 AND duration_us < 10000000) AS length_2,
           count(*) FILTER (duration_us >= 10000000 AND duration_us < 20000000) AS length_3,
           count(*) FILTER (duration_us >= 20000000) AS length_4
    FROM judged GROUP BY source
), merged AS (
    SELECT source, sum(tellings - 1)::BIGINT AS count FROM twice JOIN samples USING (sample_id) GROUP BY source
)
SELECT source, name, count FROM (UNPIVOT wide ON COLUMNS(* EXCLUDE source) INTO NAME name VALUE count)
UNION ALL SELECT source, 'samples_merged', count FROM merged;

COPY (
    SELECT sample_id, source, tier, text_id, score_1e4, in_group, keeper, media_sha256, media_bytes, duration_us FROM judged
) TO '$selection$' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 65536);
