"use strict";(()=>{var e="_kahnd/assets/";function r(t){let n=t.lastIndexOf(`/${e}`);if(n<0)throw new Error(`not below ${e}: ${t}`);return t.slice(0,n+1)}var i=r(location.href);})();
