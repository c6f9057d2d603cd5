import bcrypt from "bcryptjs";
import { equal, match } from "../check.js";

const hash = bcrypt.hashSync("secret", 4);
match(hash, /^\$2b\$04\$[./A-Za-z0-9]{53}$/);
equal([bcrypt.compareSync("secret", hash), bcrypt.compareSync("Secret", hash)], [true, false]);
equal(await bcrypt.compare("secret", await bcrypt.hash("secret", 4)), true);
equal(bcrypt.getRounds(hash), 4);
// A vector of the original.
equal(bcrypt.hashSync("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.", undefined), "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW");
