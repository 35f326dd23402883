"""Published corpora: one module for each, named after it. docs/corpora.md lists them."""

from curation.sources.corpora.acav100m import ACAV100M
from curation.sources.corpora.activitynet import ACTIVITYNET_CAPTIONS
from curation.sources.corpora.hdvila import HDVILA
from curation.sources.corpora.howto100m import HOWTO100M, HOWTO100M_CSV
from curation.sources.corpora.internvid import INTERNVID
from curation.sources.corpora.msrvtt import MSRVTT
from curation.sources.corpora.panda70m import PANDA70M
from curation.sources.corpora.vatex import VATEX
from curation.sources.corpora.videocc import VIDEOCC
from curation.sources.corpora.webvid import WEBVID
from curation.sources.corpora.wts import WTS
from curation.sources.corpora.yttemporal import YTTEMPORAL

ADAPTERS = (
    ACAV100M,
    ACTIVITYNET_CAPTIONS,
    HDVILA,
    HOWTO100M,
    HOWTO100M_CSV,
    INTERNVID,
    MSRVTT,
    PANDA70M,
    VATEX,
    VIDEOCC,
    WEBVID,
    WTS,
    YTTEMPORAL,
)
