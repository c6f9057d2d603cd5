import { z } from "zod";

const User = z.object({ id: z.coerce.number().int(), mail: z.email(), tags: z.array(z.string()).default([]) });
export default {
	async fetch(request: Request): Promise<Response> {
		const parsed = User.safeParse(await request.json());
		return parsed.success ? Response.json(parsed.data) : Response.json(parsed.error.issues.map((i) => i.path.join(".")), { status: 400 });
	},
};
