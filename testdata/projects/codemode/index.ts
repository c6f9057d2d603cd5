import { DynamicWorkerExecutor } from "@cloudflare/codemode";

export default {
	async fetch(_: Request, env: { LOADER: unknown }): Promise<Response> {
		const executor = new DynamicWorkerExecutor({ loader: env.LOADER as never });
		return Response.json({ executor: typeof executor.execute });
	},
};
