{% set site = data("/data/site.yaml") %}
window.searchIndex = [
{% for each in pages(site.get("pages", "/docs/**/*.md")) if each.get("search", true) %}
[{{ each.title | tojson }}, {{ each.url | tojson }}, {{ output("/" ~ each.path).text | sections | tojson }}],
{% endfor %}
];
