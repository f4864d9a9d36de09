{% include "kahnd:script.js" %}
