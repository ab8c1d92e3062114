// Asks the search of the built site, as a page does: node search.js SITE QUERY...
// Prints for each query a line of JSON: the addresses of what is found, the first one first.
const fs = require("fs");
const [site, ...queries] = process.argv.slice(2);
const workers = `${site}/assets/javascripts/workers`;
const index = JSON.parse(fs.readFileSync(`${site}/search.json`));
const READY = 1, QUERY = 2, RESULT = 3;

function ask() {
  if (queries.length === 0) return;
  self.onmessage({ data: { type: QUERY, data: { input: queries.shift(), filter: { input: "" } } } });
}

global.self = {
  postMessage(message) {
    if (message.type === RESULT) {
      console.log(JSON.stringify(message.data.items.map((item) => index.items[item.id].location)));
    } else if (message.type !== READY) {
      throw new Error("the search failed");
    }
    ask();
  },
};
eval(fs.readFileSync(`${workers}/${fs.readdirSync(workers).find((f) => f.startsWith("search"))}`, "utf8"));
self.onmessage({ data: { type: 0, data: index } });
