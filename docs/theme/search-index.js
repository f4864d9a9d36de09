{% include "kahnd:search-index.js" %}
