import { DynamicWorkerExecutor } from "@cloudflare/codemode";

export default {
	async fetch(_: Request, env: { LOADER: unknown }): Promise<Response> {
		const executor = new DynamicWorkerExecutor({ loader: env.LOADER as never });
		const { result, error, logs } = await executor.execute('async () => { console.log("on the way"); return await codemode.twice({ n: 21 }); }', [
			{ name: "codemode", fns: { twice: async (a: unknown) => 2 * (a as { n: number }).n } },
		]);
		return Response.json({ result, error, logs });
	},
};
