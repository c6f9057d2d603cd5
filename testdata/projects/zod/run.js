import worker from "./index.js";
for (const body of ['{"id":"7","mail":"a@example.com"}', '{"id":"x","mail":"no"}']) {
	const r = await worker.fetch(new Request("http://x/", { method: "POST", body }));
	console.log(r.status, await r.text());
}
